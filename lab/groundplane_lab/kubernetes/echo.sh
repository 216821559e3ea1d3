#!/bin/sh
# The lab's workload: answers every GET / on port 8080 with the name of the pod that answers.
mkdir -p /www
hostname > /www/index.html
trap 'exit 0' TERM INT
httpd -f -p 8080 -h /www &
wait
