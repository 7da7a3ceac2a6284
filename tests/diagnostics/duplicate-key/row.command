score _tiny.yaml --device _rows.yaml
