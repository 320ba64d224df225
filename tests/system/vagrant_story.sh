#!/bin/bash
# vagrant_story.sh DEBS PROVISION.SH PROXY.PY: a machine of the Vagrantfile is provisioned, in a root that nobody else has
# (deb_root.sh), without systemd. Its only way out is a proxy. Prints a line for each thing that it finds.
set -eu
debs=$1 provision=$2 proxy=$3
export LC_ALL=C SYSTEMD_OFFLINE=1
say() { echo "story: $*"; }
asked() { sort -u /run/asked | tr '\n' ' '; : > /run/asked; }
works() { [ "$(stat -c %s /var/log/dpkg.log)" = "$before" ] && echo nothing || echo packages; }

# What the machine lacks is to be had at one place, which only the proxy reaches.
dpkg --remove tcpdump > /dev/null
mkdir -p /run/there/made/DEBIAN /nebula
printf 'Package: tcpdump\nVersion: 99\nArchitecture: all\nMaintainer: none\nDescription: none\n' > /run/there/made/DEBIAN/control
dpkg-deb --build /run/there/made /run/there/tcpdump.deb > /dev/null
(cat /run/there/made/DEBIAN/control && stat -c 'Size: %s' /run/there/tcpdump.deb && echo 'Filename: ./tcpdump.deb' &&
    echo "SHA256: $(sha256sum < /run/there/tcpdump.deb | cut -d' ' -f1)") > /run/there/Packages
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] http://packages.example/ ./' > /etc/apt/sources.list
: > /run/asked
python3 "$proxy" 3128 /run/there >> /run/asked &
proxy=$!
ip address add 192.168.77.10/32 dev lo
mkdir /run/controller && echo directly > /run/controller/index.html
python3 -m http.server --bind 192.168.77.10 --directory /run/controller 80 > /dev/null 2>&1 &
controller=$!
until curl -fs --noproxy '*' http://192.168.77.10/ > /dev/null; do sleep 0.1; done

cp "$debs"/*.deb /nebula/
touch /etc/environment
with_proxy() { http_proxy=http://127.0.0.1:3128 https_proxy=http://127.0.0.1:3128 no_proxy=localhost,192.168.77.10 "$@"; }
with_proxy bash "$provision" compute 192.168.77.21
say "tcpdump $(dpkg-query -W -f '${Version}' tcpdump), nebula-agent $(nebula-agent --version | cut -d' ' -f1)"
say "asked: $(asked | grep -o 'GET [^ ]*deb')"
say "configured: $(grep -xF -e 'vtep_ip = "192.168.77.21"' -e 'role = ["compute"]' /etc/nebula/agent.toml | tr '\n' ' ')"
say "starts with the machine: $(ls /etc/systemd/system/multi-user.target.wants | grep nebula)"

apt-get -qq update
say "apt, later: $(asked | grep -o 'GET [^ ]*Packages ')"
su -l nobody -s /bin/sh -c 'curl -s --max-time 5 http://packages.example/ https://packages.example/' > /dev/null || true
say "a login: $(asked)"
say "to the controller: $(su -l nobody -s /bin/sh -c 'curl -s --max-time 5 http://192.168.77.10/'), $(asked)"

before=$(stat -c %s /var/log/dpkg.log)
with_proxy bash "$provision" compute 192.168.77.21
say "again: dpkg does $(works)"
(cd /nebula && sha256sum *.deb) > /etc/nebula/installed
with_proxy bash "$provision" compute 192.168.77.21
say "all packages came with the box: dpkg does $(works)"
sed -i 's/^/0/' /etc/nebula/installed
with_proxy bash "$provision" compute 192.168.77.21
say "other ones came with the box: dpkg does $(works)"
bash "$provision" compute 192.168.77.21
say "without proxies: $(cat /etc/apt/apt.conf.d/90nebula-proxy /etc/environment | grep -c proxy)"
kill $controller

ip link add underlay0 type veth peer name provider0
ip address add 192.168.77.20/24 dev underlay0
ip address add 203.0.113.250/24 dev provider0
for _ in 1 2; do bash "$provision" network 192.168.77.20; done
say "the network node: $(grep ^bridge_mapping /etc/nebula/agent.toml), $(ip -o -4 address show dev provider0 | wc -l) addresses," \
    "$(sed -n 's/^ExecStartPre=//p' /etc/systemd/system/nebula-agent.service.d/provider.conf)"

# The controller: what systemd would start there is started here.
cat > /usr/local/sbin/systemctl << 'EOF'
#!/bin/sh
[ "$*" != "restart nebula-controller" ] || setpriv --reuid nebula --regid nebula --clear-groups --bounding-set=-all \
    --no-new-privs nebula-controller --config /etc/nebula/controller.toml > /tmp/controller.log 2>&1 &
exec /usr/bin/systemctl "$@"
EOF
chmod +x /usr/local/sbin/systemctl
useradd --create-home --shell /bin/bash vagrant
for _ in 1 2; do bash "$provision" controller 192.168.77.10 net1 compute1; done
listed() { su -l vagrant -c "nebulactl $1 list -f value -c '$2'" | sort | tr '\n' ' ' | sed 's/ $//'; }
say "the administrator's networks: $(listed network Name), subnets: $(listed subnet Name)"
kept=$(su -l vagrant -c 'ls /run/nebula-tokens' 2> /dev/null || echo 'root alone')
say "tokens: $(ls /run/nebula-tokens | tr '\n' ' ' | sed 's/ $//'), which $kept reads"
. /home/vagrant/nebula.env
host_of() { nebulactl node token list -f value -c ID -c Host | sed -n "s/^${1%%.*} //p"; }
first=$(nebula-token compute1) second=$(nebula-token compute1)
say "a token made before the controller was asked: for $(host_of "$first"), the next one:" \
    "$([ "$first" = "$second" ] || echo another) for $(host_of "$second")"
say "starts with the machine: $(ls /etc/systemd/system/multi-user.target.wants | grep -v agent | grep nebula | tr '\n' ' ')"
kill $proxy $(pgrep -u nebula)
