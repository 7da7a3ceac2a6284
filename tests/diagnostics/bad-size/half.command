validate v2_s0 --size 256x
