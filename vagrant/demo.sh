#!/bin/bash
# demo.sh - the case study on the machines of the Vagrantfile: two instances on two nodes, a router, the world outside.
# Says what holds; ends with 1 where something does not. What it makes it takes away first, from an earlier run.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
web_ip=198.51.100.10
failed=0

on() { # MACHINE SCRIPT
    vagrant ssh "$1" -c "$2" 2> /dev/null
}
cloud() { # WORDS...: a call of nebulactl at the controller
    on controller ". ~/nebula.env && nebulactl $*"
}
call() {
    echo "  \$ nebulactl $*"
    cloud "$@" > /dev/null || { echo "  failed" >&2; exit 1; }
}
check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" > /dev/null; then echo "  ok   $what"; else echo "  FAIL $what"; failed=1; fi
}
inside() { # NODE ID COMMAND: in an instance
    on "$1" "sudo ip netns exec instance-$2 $3"
}
address() { # NODE ID: by DHCP
    local found=
    for _ in $(seq 30); do
        found=$(inside "$1" "$2" "ip -4 -o address show eth0" | sed -n 's|.* inet \(192\.168\.50\.[0-9]*\)/.*|\1|p')
        [ -z "$found" ] || break
        sleep 1
    done
    echo "$found"
}

cloud instance delete web db > /dev/null
cloud router unset demo --external-gateway > /dev/null
cloud router remove subnet demo demo > /dev/null
cloud router delete demo > /dev/null
cloud network delete demo > /dev/null

call network create demo
call subnet create demo --network demo --subnet-range 192.168.50.0/24
call router create demo
call router add subnet demo demo
call router set demo --external-gateway public
call instance create web --network demo --node compute1
call instance create db --network demo --node compute2
web=$(cloud instance show web -f value -c id | tr -d '\r')
db=$(cloud instance show db -f value -c id | tr -d '\r')
web_address=$(address compute1 "$web")
db_address=$(address compute2 "$db")
outside=$(cloud router show demo -f json | grep -o '203\.0\.113\.[0-9]*' | head -1)
check "web has its address by DHCP: $web_address on compute1" [ -n "$web_address" ]
check "db has its address by DHCP: $db_address on compute2" [ -n "$db_address" ]
check "ping east-west" inside compute1 "$web" "ping -q -c 3 -i 0.2 -W 2 $db_address"
seen=$(inside compute1 "$web" "curl -s --noproxy '*' --max-time 8 http://$web_ip/" | tr -d '\r\n')
check "the web server outside sees the router: $seen" [ "$seen" = "$outside" ]
datapath=$(on compute1 "sudo ovs-appctl dpif/show" | head -1 | tr -d '\r')
echo "  datapath of compute1: $datapath"
failed_units=$(for machine in controller net1 compute1 compute2; do on "$machine" "systemctl --failed --no-legend --plain"; done)
check "no unit has failed on any machine: $failed_units" [ -z "$failed_units" ]
check "all is on the nodes that shall be, and no more" cloud audit
exit $failed
