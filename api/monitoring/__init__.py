"""What `lantern serve` tells those who run it: its log, a line for each request, counts for Prometheus."""
