"""Finding the number of workers and of sending processes by measuring goodput."""
