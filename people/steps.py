"""When a person's baselines are made."""

# With so many earlier scored notes; each then stays, so that a note's relative score can name what it was judged by.
# The steps get wider because the baseline gains less and less: half of a person's own share is known with 2 to 5 notes.
BASELINE_STEPS = (1, 3, 5, 10, 30)
