build _tiny.yaml --weights nope.pth
