score _tiny.yaml --device nowhere/bench.yaml
