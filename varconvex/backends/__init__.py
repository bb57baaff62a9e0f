"""Array backends: one specification, fast where it pays."""
