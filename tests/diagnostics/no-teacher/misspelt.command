train _tiny.yaml --data digits --recipe _misspelt.yaml -o run --set head.classes=10
