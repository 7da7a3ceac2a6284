show v2_s0 --size 31
