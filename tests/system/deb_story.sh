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
}
state > /tmp/before
say "made: $(count qrouter < /tmp/before) router, $(pgrep -xc dnsmasq) dnsmasq"

kill $agent && wait $agent || true
dpkg -r nebula-agent > /tmp/remove.log 2>&1
state > /tmp/after
say "removed: $(cmp -s /tmp/before /tmp/after && echo all goes on || diff /tmp/before /tmp/after)"
ip netns add somebodys
dpkg -P nebula-agent > /tmp/purge.log 2>&1 || { cat /tmp/purge.log; exit 1; }
say "purged: namespaces $(ip netns list | tr '\n' ' ')bridges $(ovs-vsctl list-br | tr '\n' ' ')dnsmasq $(pgrep -xc dnsmasq || true)"
say "left behind: $(ls -d /etc/nebula/agent.toml /var/lib/nebula /var/lib/nebula-agent.clean /run/nebula 2> /dev/null | tr '\n' ' ')"
dpkg -P nebulactl nebula-controller nebula-common > /tmp/purge.log 2>&1 || { cat /tmp/purge.log; exit 1; }
say "all purged: $(ls -d /usr/lib/nebula /etc/nebula /var/lib/nebula-controller 2> /dev/null | tr '\n' ' ')"
