"""`secfpp demo`: a whole federation of processes on one machine, and the proof that it is right."""
