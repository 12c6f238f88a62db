"""Where is my file, my batch, my request? The state, why, what happens next, what a person can do, and the history."""
