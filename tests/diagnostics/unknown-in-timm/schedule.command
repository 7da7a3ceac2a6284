train _tiny.yaml --data digits --recipe _schedule.yaml -o run --set head.classes=10
