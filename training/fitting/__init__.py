"""From a plan to nets: recipe, loop, tuning, averages, and jobs."""
