"""Networks, named after the paper that fixes them; each is a plain module for one seed."""
