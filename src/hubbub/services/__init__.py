"""What the server can do. The only place that awaits storage and speaks to the bus."""
