score _tiny.yaml --device _table.yaml --strict
