"""What is read from voxmark's reports: comparisons, pages, histories. Measures nothing."""
