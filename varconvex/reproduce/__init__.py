"""The paper's experiments, one command each: its tables on its data or any other."""
