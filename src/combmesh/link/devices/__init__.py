"""Two users' devices, fibres and controls, and the link that they make: nothing about it is typed in."""
