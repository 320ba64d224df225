#!/bin/bash
# deb_story.sh DEBS VIEW: the life of the packages on one machine, in a root that nobody else has (deb_root.sh).
# Prints a line for each thing that it finds; the test compares them.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
say() { echo "story: $*"; }
count() { grep -c "$1" || true; }

dpkg -i "$1"/*.deb > /tmp/install.log 2>&1 || { cat /tmp/install.log; exit 1; }
for program in nebula-agent nebula-controller nebulactl; do say "$("/usr/bin/$program" --version | cut -d' ' -f1) runs"; done
find /usr/lib/nebula -name '*.py' -exec touch {} + # what an image's or a copy's file times may be
/usr/lib/nebula/bin/python -v -c "import nebula_agent.loop, nebula_controller.serve, nebulactl.__main__" 2> /tmp/imports
say "compiled at a start: $(count "^# code object from /usr/lib/nebula/.*py$" < /tmp/imports)"
say "manual pages: $(man -w nebulactl nebulactl-network nebula-agent nebula-controller | wc -l)"
say "completion: $(bash -c '. /usr/share/bash-completion/completions/nebulactl && complete -p nebulactl' | count nebulactl)"
say "units: $(systemd-analyze verify /lib/systemd/system/nebula-{agent,controller}.service 2>&1 | grep nebula || echo fine)"

setpriv --reuid nebula --regid nebula --clear-groups --bounding-set=-all --no-new-privs \
    nebula-controller --config /etc/nebula/controller.toml > /tmp/controller.log 2>&1 &
controller=$!
for _ in $(seq 100); do curl -fs http://127.0.0.1:9696/network/ > /tmp/versions && break; sleep 0.1; done
say "controller answers as nebula: $(count v2.0 < /tmp/versions)"
as_nebula="setpriv --reuid nebula --regid nebula --clear-groups"
$as_nebula nebula-controller bootstrap > /tmp/password 2> /dev/null
$as_nebula nebula-controller authority > /tmp/authority.pem 2> /dev/null
export OS_AUTH_URL=https://$(hostname):9697/identity OS_CACERT=/tmp/authority.pem OS_USERNAME=admin OS_PROJECT_NAME=admin
export OS_PASSWORD="$(cat /tmp/password)"
nebulactl node token create -f value -c token > /tmp/token
say "joined: $(nebula-agent join "https://$(hostname):9697" - --host net1 < /tmp/token | count "net1 has joined")"
kill $controller && wait $controller || true

ip link add underlay0 type veth peer name underlay1
ip link set underlay0 up && ip link set underlay1 up
ovsdb-tool create /run/ovs.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server /run/ovs.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file=/run/ovsdb.log
ovs-vsctl --no-wait init
ovs-vswitchd unix:/run/openvswitch/db.sock --pidfile --detach --log-file=/run/vswitchd.log
ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type=netdev fail_mode=standalone -- add-port br-phy underlay0
ip address add 10.0.0.1/24 dev br-phy && ip link set br-phy up
ip link add inet0 type veth peer name inet1
cp "$2" /run/view.json

# What is somebody else's on this machine, of each kind that the agent makes itself.
ip netns add somebodys
for chain in INPUT FORWARD; do iptables -A $chain -s 192.0.2.0/24 -m comment --comment theirs -j DROP; done
iptables -t raw -N THEIRS && iptables -t raw -A PREROUTING -p udp --dport 4789 -j THEIRS
iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
ip netns exec somebodys iptables -A INPUT -j ACCEPT
ip link add vxlan77 type vxlan id 77 dstport 4789 local 10.0.0.1 && ip link add tapa type veth peer name tapb
bridge fdb append 00:00:00:00:00:00 dev vxlan77 dst 192.0.2.1
ovs-vsctl add-br br-theirs -- set bridge br-theirs datapath_type=netdev -- add-port br-theirs tapa tag=7 \
    -- set Open_vSwitch . external_ids:theirs=yes
ovs-ofctl add-flow br-theirs "cookie=0x7,priority=7,ip,actions=drop"
ovs-ofctl add-flow br-phy "cookie=0x7,priority=7,ip,nw_src=192.0.2.1,actions=drop"
ip rule add from 192.0.2.0/24 table 77 && ip route add default dev br-phy table 77
ip netns exec somebodys dnsmasq --conf-file=/dev/null --port=5353 --user= --group= --pid-file=/run/theirs.pid
theirs() {
    ip -br link | sed 's/[@ ].*//' | sort && ip -o address show scope global && ip rule && ip -4 route show table all
    bridge fdb show dev vxlan77
    for tool in iptables-save ip6tables-save "ip netns exec somebodys iptables-save"; do $tool | grep '^-' || true; done
    ip netns list && pgrep -xa dnsmasq
    ovs-vsctl get Open_vSwitch . external_ids other_config
    for bridge in $(ovs-vsctl list-br); do
        echo "$bridge" && ovs-vsctl list-ports "$bridge" && ovs-ofctl --no-stats dump-flows "$bridge"
    done
}
theirs > /tmp/theirs
cat > /etc/nebula/agent.toml <<'EOF'
host = "net1"
vtep_ip = "10.0.0.1"
datapath_type = "netdev"
view_file = "/run/view.json"
role = ["network", "compute"]
bridge_mapping = ["public:br-ex:inet0"]
EOF
# The unit's capabilities and no more.
allowed=$(sed -n 's/^CapabilityBoundingSet=//p' /lib/systemd/system/nebula-agent.service | tr 'A-Z' 'a-z' | sed 's/cap_/,+/g; s/ //g')
setpriv --bounding-set="-all$allowed" --no-new-privs nebula-agent --config /etc/nebula/agent.toml > /tmp/agent.log 2>&1 &
agent=$!
for _ in $(seq 200); do
    nebula-agent plan --config /etc/nebula/agent.toml 2> /dev/null | grep -q ' 0 changes' && break
    sleep 0.1
done
say "to change with the unit's capabilities: $(nebula-agent plan | sed -n '1s/.*: \([0-9]*\) changes.*/\1/p')"
state() {
    ip netns list | cut -d' ' -f1 | sort
    ovs-vsctl list-br
    for bridge in $(ovs-vsctl list-br); do ovs-ofctl -O OpenFlow14 --no-stats dump-flows "$bridge" | sort; done
    pgrep -x dnsmasq
    iptables-save | grep '^[-:]'
}
state > /tmp/before
say "made: $(count qrouter < /tmp/before) router, $(pgrep -fc "^dnsmasq.*/var/lib/nebula/") dnsmasq"

kill $agent && wait $agent || true
dpkg -r nebula-agent > /tmp/remove.log 2>&1
state > /tmp/after
say "removed: $(cmp -s /tmp/before /tmp/after && echo all goes on || diff /tmp/before /tmp/after)"
dpkg -P nebula-agent > /tmp/purge.log 2>&1 || { cat /tmp/purge.log; exit 1; }
theirs > /tmp/theirs.after
say "purged: $(cmp -s /tmp/theirs /tmp/theirs.after && echo what is others is as it was || diff /tmp/theirs /tmp/theirs.after)"
say "left behind: $(ls -d /etc/nebula/agent.toml /var/lib/nebula /var/lib/nebula-agent.clean /run/nebula 2> /dev/null | tr '\n' ' ')"
dpkg -P nebulactl nebula-controller nebula-common > /tmp/purge.log 2>&1 || { cat /tmp/purge.log; exit 1; }
say "all purged: $(ls -d /usr/lib/nebula /etc/nebula /var/lib/nebula-controller 2> /dev/null | tr '\n' ' ')"
