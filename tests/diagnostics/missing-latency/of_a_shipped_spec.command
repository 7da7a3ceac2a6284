score v2_s0 --device _table.yaml
