score _tiny.yaml --device _table.yaml --precision fp16
