"""The two ways in which a verb can fail, and the exit status of each."""


class OtbenchError(Exception):
    """The request was wrong: one sentence that says what, where, and what was expected (exit status 2)."""

    status = 2


class WorkFailed(OtbenchError):
    """The request was right but the work failed: divergence, a missed tolerance (exit status 1)."""

    status = 1
