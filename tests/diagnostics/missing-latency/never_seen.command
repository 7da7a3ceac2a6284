score _tiny.yaml --device iphone12 --set defaults.act=silu --set input.size=64
