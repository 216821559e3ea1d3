"""One module per verb. Each takes a Service and a Call and returns an object's bytes, or raises a StatusError."""
