train _tiny.yaml --data digits --recipe small -o _run --set head.classes=10 --resume
