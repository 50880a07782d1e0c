"""From a query string to rows, groups and sums of a release."""
