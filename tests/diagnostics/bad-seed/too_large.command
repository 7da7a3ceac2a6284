build _tiny.yaml --seed 18446744073709551616
