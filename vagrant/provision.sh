#!/bin/bash
# provision.sh controller ADDRESS NODE... - what an administrator does on a host, as docs/operations.md has it.
# provision.sh network|compute ADDRESS
# Run by Vagrant, as root, on the machine. Again and again: what is there stays. /nebula has the packages.
set -euo pipefail
role=$1 address=$2 changed=
shift 2
export DEBIAN_FRONTEND=noninteractive

proxies() {
    local name
    for name in http_proxy https_proxy; do
        [ -z "${!name:-}" ] || echo "Acquire::${name%_proxy}::Proxy \"${!name}\";"
    done > /etc/apt/apt.conf.d/90nebula-proxy
    sed -i '/_proxy=/d' /etc/environment
    for name in http_proxy https_proxy no_proxy; do
        [ -z "${!name:-}" ] || echo "$name=\"${!name}\"" >> /etc/environment
    done
}

install_packages() { # PACKAGE...: ours, with what they need; left alone where these very files are installed
    local package files=() sums words
    for package in nebula-common "$@"; do files+=("$(ls -t /nebula/"${package}"_*.deb | head -1)"); done
    sums=$(cd /nebula && sha256sum "${files[@]##*/}")
    grep -qvxF -f <(cat /etc/nebula/installed 2> /dev/null) <<< "$sums" || return 0
    words=(-qq install -y --no-install-recommends --reinstall --allow-downgrades -o Dpkg::Options::=--force-confold
        "${files[@]}" curl iputils-ping tcpdump)
    # First with what the box has, so that one that has all of it need not reach any package source.
    apt-get -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null "${words[@]}" > /dev/null 2>&1 ||
        { apt-get -qq update && apt-get "${words[@]}" > /dev/null; }
    echo "$sums" > /etc/nebula/installed
}

set_key() { # FILE KEY VALUE: a key of our TOML files, instead of the one that is there
    ! grep -qxF "$2 = $3" "$1" || return 0
    changed=yes
    sed -i "/^$2 *=/d" "$1"
    echo "$2 = $3" >> "$1"
}

set_units() { # UNIT...: start with the machine. Reading all units again takes ten seconds where all is emulated.
    systemctl enable --quiet --no-reload "$@"
    ! systemctl show -P NeedDaemonReload "$@" 2> /dev/null | grep -qx yes || systemctl daemon-reload
}

controller() { # NODE...
    install_packages nebula-controller nebulactl
    local config=/etc/nebula/controller.toml password=/etc/nebula/admin-password environment=/home/vagrant/nebula.env
    if [ ! -e $environment ]; then # the controller makes the administrator when it starts
        set_key $config admin_password_file "\"$password\""
        head -c 18 /dev/urandom | base64 | install -o nebula -m 600 /dev/stdin $password
        environment_for "$(cat $password)" | install -o vagrant -g vagrant -m 600 /dev/stdin $environment
        echo '. ~/nebula.env' >> /home/vagrant/.profile
    fi
    set_key $config tls_name "[\"$address\"]"
    tokens
    outside
    set_units nebula-controller nebula-outside
    systemctl "${changed:+re}start" nebula-controller
    systemctl restart --no-block nebula-outside
    # shellcheck disable=SC1090
    . $environment
    cloud "$@"
}

tokens() { # a command for who lets a machine join; it may be called before there is a controller
    cat > /usr/local/sbin/nebula-token << 'EOF'
#!/bin/sh
# nebula-token NODE - a token for it: the one that was made beforehand, else a new one. Each is shown once.
set -eu
kept=/run/nebula-tokens/$1
until [ -e "$kept" ] || [ -e /etc/nebula/provisioned ]; do sleep 0.5; done
if [ -n "$(find "$kept" -mmin -50 2> /dev/null)" ]; then # it is good for an hour
    cat "$kept"
    exec rm "$kept"
fi
. /home/vagrant/nebula.env
exec nebulactl node token create --host "$1" -f value -c token
EOF
    chmod 755 /usr/local/sbin/nebula-token
    install -d -m 700 /run/nebula-tokens
}

cloud() { # NODE...: a token for each that is not there, at first, as they wait for it; then the provider network
    local there name token waiting=()
    until there=$(printf '%s list -f value -c %s\n' node Node network Name subnet Name | nebulactl 2> /dev/null); do
        sleep 1
    done
    for name in "$@"; do
        grep -qx "$name" <<< "$there" || waiting+=("$name")
    done
    {
        [ ${#waiting[@]} = 0 ] || printf 'node token create --host %s -f value -c token\n' "${waiting[@]}"
        grep -qx public <<< "$there" || echo "network create public --external -f value -c id" \
            "--provider-network-type flat --provider-physical-network provider"
        grep -qx public_subnet <<< "$there" || echo "subnet create public_subnet -f value -c id --network public" \
            "--subnet-range 203.0.113.0/24 --gateway 203.0.113.1 --no-dhcp" \
            "--allocation-pool start=203.0.113.10,end=203.0.113.200"
    } | nebulactl | {
        umask 077
        for name in "${waiting[@]}"; do
            read -r token
            echo "$token" > "/run/nebula-tokens/.$name"
            mv "/run/nebula-tokens/.$name" "/run/nebula-tokens/$name"
        done
        cat > /dev/null
    }
}

environment_for() { # PASSWORD
    cat << EOF
export OS_AUTH_URL=http://127.0.0.1:9696/identity OS_IDENTITY_API_VERSION=3 OS_USERNAME=admin OS_PASSWORD='$1'
export OS_PROJECT_NAME=admin OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default
EOF
}

outside() { # the world behind the provider network: this machine is its gateway, and has a web server
    cat > /usr/local/sbin/nebula-outside << 'EOF'
#!/bin/sh
set -eu
device=$(ip -o -4 address | sed -n 's|^[0-9]*: \([^ ]*\) *inet 203\.0\.113\.2/.*|\1|p')
ip address replace 203.0.113.1/24 dev "$device"
ip address replace 198.51.100.10/32 dev lo
exec /usr/lib/nebula/bin/python -m nebula_lab.web 198.51.100.10:80
EOF
    chmod 755 /usr/local/sbin/nebula-outside
    cat > /etc/systemd/system/nebula-outside.service << 'EOF'
[Unit]
Description=The world outside, for the case study
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/local/sbin/nebula-outside
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
EOF
}

node() {
    install_packages nebula-agent
    local config=/etc/nebula/agent.toml mapping=
    if [ "$role" = network ]; then
        local device
        device=$(provider_device)
        # Up at each start, whatever configures the machine's network.
        mkdir -p /etc/systemd/system/nebula-agent.service.d
        printf '[Service]\nExecStartPre=ip link set %s up\n' "$device" \
            > /etc/systemd/system/nebula-agent.service.d/provider.conf
        ip address flush dev "$device"
        mapping="\"provider:br-ex:$device\""
    fi
    set_key $config vtep_ip "\"$address\""
    set_key $config role "[\"$role\"]"
    set_key $config bridge_mapping "[$mapping]"
    set_units nebula-agent
    systemctl "${changed:+re}start" nebula-agent # it waits until the node has joined
}

provider_device() { # the one that was found before, else the one that is neither the underlay's nor has the way out
    local name
    name=$(sed -n 's/^bridge_mapping = \["provider:br-ex:\(.*\)"\]$/\1/p' /etc/nebula/agent.toml)
    if [ -n "$name" ]; then
        echo "$name"
        return
    fi
    for name in $(ls /sys/class/net); do
        case $name in lo | ovs-* | br-*) continue ;; esac
        if ! ip -o -4 address show dev "$name" | grep -qF " $address/" &&
            [ -z "$(ip route show default dev "$name")" ]; then
            echo "$name"
            return
        fi
    done
    echo "provision: there is no device for the provider network" >&2
    return 1
}

proxies
mkdir -p /etc/nebula
case $role in
    controller) controller "$@" ;;
    network | compute) node ;;
    *) echo "usage: provision.sh controller ADDRESS NODE... | network|compute ADDRESS" >&2; exit 2 ;;
esac
# When it sets the host name Vagrant starts ifup@ for devices that it configures only afterwards.
systemctl reset-failed 'ifup@*.service'
touch /etc/nebula/provisioned
