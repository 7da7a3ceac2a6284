score v2_s0 --size axb
