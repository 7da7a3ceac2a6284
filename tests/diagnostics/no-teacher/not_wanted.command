train _tiny.yaml --data digits --recipe small -o run --set head.classes=10 --teacher-weights teacher.pth
