score _tiny.yaml --device _table.yaml --set defaults.act=relu
