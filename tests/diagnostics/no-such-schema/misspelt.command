schema nework
