score _tiny.yaml --device _table.yaml --set stages.0.width=8 --set stem.width=8
