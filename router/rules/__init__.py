"""Pure decisions: values and `now` go in, values come out. No await, no clock, no I/O, no vendor, no logging."""
