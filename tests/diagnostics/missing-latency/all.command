score v1_l1 --device _table.yaml
