"""Pure: which model of a class clears its bar, how sure that is, and what each one costs."""
