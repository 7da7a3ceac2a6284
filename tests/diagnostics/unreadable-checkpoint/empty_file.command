build _tiny.yaml --weights _empty.pth
