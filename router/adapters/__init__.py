"""One module a vendor, each blind to the others. A vendor's errors end here: they leave as `Transient`."""
