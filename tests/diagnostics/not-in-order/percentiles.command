score _tiny.yaml --device _percentiles.yaml
