score _tiny.yaml --device _table.yaml --batch 8
