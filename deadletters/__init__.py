"""Dead letters for operators: list them, look at one, replay a selection. Needs what the worker's image holds."""
