"""Human ratings: blind sessions, raters' answers, and what they say."""
