#!/bin/bash
# Extra routes: router A has the network on the left, B and C the one on the right, and a transit network joins them.
# A knows two ways to the right, which become one route with two next hops (ECMP); B and C know the way back.
# All changes of the first pass on an empty node, in order, as a person would type them.
set -e

# namespace
ip netns add instance-aef349f3-ce43-5417-9967-49d7d28f8c98
ip -n instance-aef349f3-ce43-5417-9967-49d7d28f8c98 link set lo up alias nebula:instance:aef349f3-ce43-5417-9967-49d7d28f8c98
ip netns add instance-b1776a1a-aae3-5362-bb9a-dc5cbb380643
ip -n instance-b1776a1a-aae3-5362-bb9a-dc5cbb380643 link set lo up alias nebula:instance:b1776a1a-aae3-5362-bb9a-dc5cbb380643
ip netns add qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf
ip -n qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf link set lo up alias nebula:router:3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf
ip netns add qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce
ip -n qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce link set lo up alias nebula:router:4f3f2898-69e3-5a0d-820a-c4e87987dbce
ip netns add qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16
ip -n qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 link set lo up alias nebula:router:b72f1bcd-e229-57e2-bb24-d01077785f16

# ruleset
ip netns exec qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf iptables-restore << 'EOF'
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
COMMIT
EOF
ip netns exec qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce iptables-restore << 'EOF'
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
COMMIT
EOF
ip netns exec qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 iptables-restore << 'EOF'
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
COMMIT
EOF

# sysctl
ip netns exec qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf sysctl -q -w net.ipv4.conf.all.arp_announce=2
ip netns exec qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf sysctl -q -w net.ipv4.conf.all.arp_ignore=1
ip netns exec qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf sysctl -q -w net.ipv4.ip_forward=1
ip netns exec qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce sysctl -q -w net.ipv4.conf.all.arp_announce=2
ip netns exec qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce sysctl -q -w net.ipv4.conf.all.arp_ignore=1
ip netns exec qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce sysctl -q -w net.ipv4.ip_forward=1
ip netns exec qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 sysctl -q -w net.ipv4.conf.all.arp_announce=2
ip netns exec qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 sysctl -q -w net.ipv4.conf.all.arp_ignore=1
ip netns exec qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 sysctl -q -w net.ipv4.ip_forward=1

# bridge
ovs-vsctl --may-exist add-br br-ex -- set Bridge br-ex datapath_type=netdev fail_mode=secure 'external_ids:nebula-owner="nebula:node:net1"'
ovs-vsctl -- --id=@t0 create Flow_Table name=PROVIDER -- set Bridge br-ex flow_tables=0=@t0
ovs-vsctl --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev fail_mode=secure 'external_ids:nebula-owner="nebula:node:net1"'
ovs-vsctl -- --id=@t0 create Flow_Table name=LOCAL_SWITCHING -- --id=@t24 create Flow_Table name=ARP_SPOOF -- --id=@t25 create Flow_Table name=MAC_SPOOF -- --id=@t60 create Flow_Table name=TRANSIENT -- --id=@t71 create Flow_Table name=BASE_EGRESS -- --id=@t72 create Flow_Table name=RULES_EGRESS -- --id=@t73 create Flow_Table name=ACCEPT_OR_INGRESS -- --id=@t74 create Flow_Table name=FLOOD_MORE -- --id=@t81 create Flow_Table name=BASE_INGRESS -- --id=@t82 create Flow_Table name=RULES_INGRESS -- --id=@t91 create Flow_Table name=EGRESS_COMMIT -- --id=@t92 create Flow_Table name=INGRESS_COMMIT -- --id=@t93 create Flow_Table name=DROPPED_TRAFFIC -- --id=@t94 create Flow_Table name=ACCEPTED_EGRESS -- --id=@t95 create Flow_Table name=DELIVERY -- set Bridge br-int flow_tables=0=@t0,24=@t24,25=@t25,60=@t60,71=@t71,72=@t72,73=@t73,74=@t74,81=@t81,82=@t82,91=@t91,92=@t92,93=@t93,94=@t94,95=@t95
ovs-ofctl -O OpenFlow14 --names set-frags br-int nx-match
ovs-vsctl --may-exist add-br br-tun -- set Bridge br-tun datapath_type=netdev fail_mode=secure 'external_ids:nebula-owner="nebula:node:net1"'
ovs-vsctl -- --id=@t0 create Flow_Table name=TUN_INPUT -- --id=@t2 create Flow_Table name=PATCH_LV_TO_TUN -- --id=@t4 create Flow_Table name=VXLAN_TUN_TO_LV -- --id=@t20 create Flow_Table name=UCAST_TO_TUN -- --id=@t21 create Flow_Table name=ARP_RESPONDER -- --id=@t22 create Flow_Table name=FLOOD_TO_TUN -- set Bridge br-tun flow_tables=0=@t0,2=@t2,4=@t4,20=@t20,21=@t21,22=@t22

# local-vlan
ovs-ofctl -O OpenFlow14 --names ct-flush-zone br-int 1
ovs-vsctl set Bridge br-int external_ids:nebula-vlan-0712e595-e4ee-5e56-9be1-57e29c128727=1
ovs-ofctl -O OpenFlow14 --names ct-flush-zone br-int 2
ovs-vsctl set Bridge br-int external_ids:nebula-vlan-8b8a5ce0-196a-5c02-b476-f42ab5fdef45=2
ovs-ofctl -O OpenFlow14 --names ct-flush-zone br-int 3
ovs-vsctl set Bridge br-int external_ids:nebula-vlan-ca9453e9-e200-5ed8-ac1f-ca32b6376896=3

# veth
ip link add tap00f07f54-3d mtu 1450 type veth peer name qr-00f07f54-3d mtu 1450 address fa:16:3e:00:02:02 netns qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf
ip link set tap00f07f54-3d alias nebula:port:00f07f54-3d6e-539a-b23e-e6a731b20a59 addrgenmode none
ip -n qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf link set qr-00f07f54-3d alias nebula:port:00f07f54-3d6e-539a-b23e-e6a731b20a59 addrgenmode none
ip netns exec qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf ethtool -K qr-00f07f54-3d tx off > /dev/null
ip -n qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf link set qr-00f07f54-3d up
ip link set tap00f07f54-3d up
ip link add tap11b138e3-f8 mtu 1450 type veth peer name qr-11b138e3-f8 mtu 1450 address fa:16:3e:00:01:02 netns qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16
ip link set tap11b138e3-f8 alias nebula:port:11b138e3-f82a-57b4-bdd1-72c5de6bb9ba addrgenmode none
ip -n qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 link set qr-11b138e3-f8 alias nebula:port:11b138e3-f82a-57b4-bdd1-72c5de6bb9ba addrgenmode none
ip netns exec qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 ethtool -K qr-11b138e3-f8 tx off > /dev/null
ip -n qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 link set qr-11b138e3-f8 up
ip link set tap11b138e3-f8 up
ip link add tap3422ff66-3a mtu 1450 type veth peer name qr-3422ff66-3a mtu 1450 address fa:16:3e:00:02:01 netns qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce
ip link set tap3422ff66-3a alias nebula:port:3422ff66-3a01-5640-b557-d09c21cd29ee addrgenmode none
ip -n qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce link set qr-3422ff66-3a alias nebula:port:3422ff66-3a01-5640-b557-d09c21cd29ee addrgenmode none
ip netns exec qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce ethtool -K qr-3422ff66-3a tx off > /dev/null
ip -n qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce link set qr-3422ff66-3a up
ip link set tap3422ff66-3a up
ip link add tap486781e4-f3 mtu 1450 type veth peer name qr-486781e4-f3 mtu 1450 address fa:16:3e:00:01:01 netns qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf
ip link set tap486781e4-f3 alias nebula:port:486781e4-f3af-5835-ac79-53d027454e39 addrgenmode none
ip -n qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf link set qr-486781e4-f3 alias nebula:port:486781e4-f3af-5835-ac79-53d027454e39 addrgenmode none
ip netns exec qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf ethtool -K qr-486781e4-f3 tx off > /dev/null
ip -n qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf link set qr-486781e4-f3 up
ip link set tap486781e4-f3 up
ip link add tap6f498574-dd mtu 1450 type veth peer name qr-6f498574-dd mtu 1450 address fa:16:3e:00:00:01 netns qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce
ip link set tap6f498574-dd alias nebula:port:6f498574-ddb8-5335-94fd-f45121dc7b1e addrgenmode none
ip -n qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce link set qr-6f498574-dd alias nebula:port:6f498574-ddb8-5335-94fd-f45121dc7b1e addrgenmode none
ip netns exec qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce ethtool -K qr-6f498574-dd tx off > /dev/null
ip -n qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce link set qr-6f498574-dd up
ip link set tap6f498574-dd up
ip link add tap884b2ebd-55 mtu 1450 type veth peer name eth0 mtu 1450 address fa:16:3e:00:01:0a netns instance-aef349f3-ce43-5417-9967-49d7d28f8c98
ip link set tap884b2ebd-55 alias nebula:port:884b2ebd-5545-5184-bef2-26b4f383dab5 addrgenmode none
ip -n instance-aef349f3-ce43-5417-9967-49d7d28f8c98 link set eth0 alias nebula:port:884b2ebd-5545-5184-bef2-26b4f383dab5 addrgenmode none
ip netns exec instance-aef349f3-ce43-5417-9967-49d7d28f8c98 ethtool -K eth0 tx off > /dev/null
ip -n instance-aef349f3-ce43-5417-9967-49d7d28f8c98 link set eth0 up
ip link set tap884b2ebd-55 up
ip link add tapc3f33261-fe mtu 1450 type veth peer name eth0 mtu 1450 address fa:16:3e:00:00:0a netns instance-b1776a1a-aae3-5362-bb9a-dc5cbb380643
ip link set tapc3f33261-fe alias nebula:port:c3f33261-fec6-5d53-b740-6458fbefb7bc addrgenmode none
ip -n instance-b1776a1a-aae3-5362-bb9a-dc5cbb380643 link set eth0 alias nebula:port:c3f33261-fec6-5d53-b740-6458fbefb7bc addrgenmode none
ip netns exec instance-b1776a1a-aae3-5362-bb9a-dc5cbb380643 ethtool -K eth0 tx off > /dev/null
ip -n instance-b1776a1a-aae3-5362-bb9a-dc5cbb380643 link set eth0 up
ip link set tapc3f33261-fe up
ip link add tapf271a3d9-f9 mtu 1450 type veth peer name qr-f271a3d9-f9 mtu 1450 address fa:16:3e:00:02:03 netns qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16
ip link set tapf271a3d9-f9 alias nebula:port:f271a3d9-f956-55dc-a7b6-c1c51fd7a722 addrgenmode none
ip -n qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 link set qr-f271a3d9-f9 alias nebula:port:f271a3d9-f956-55dc-a7b6-c1c51fd7a722 addrgenmode none
ip netns exec qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 ethtool -K qr-f271a3d9-f9 tx off > /dev/null
ip -n qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 link set qr-f271a3d9-f9 up
ip link set tapf271a3d9-f9 up

# bridge-port
ovs-vsctl --may-exist add-port br-ex inet0 -- set Port inet0 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]'
ovs-vsctl --may-exist add-port br-int int-br-ex -- set Port int-br-ex 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]' -- set Interface int-br-ex type=patch 'options:peer="phy-br-ex"'
ovs-vsctl --may-exist add-port br-tun patch-int -- set Port patch-int 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]' -- set Interface patch-int type=patch 'options:peer="patch-tun"'
ovs-vsctl --may-exist add-port br-int patch-tun -- set Port patch-tun 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]' -- set Interface patch-tun type=patch 'options:peer="patch-int"'
ovs-vsctl --may-exist add-port br-ex phy-br-ex -- set Port phy-br-ex 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]' -- set Interface phy-br-ex type=patch 'options:peer="int-br-ex"'
ovs-vsctl --may-exist add-port br-int tap00f07f54-3d -- set Port tap00f07f54-3d 'external_ids:nebula-owner="nebula:port:00f07f54-3d6e-539a-b23e-e6a731b20a59"' tag=3 -- set Interface tap00f07f54-3d external_ids:iface-id=00f07f54-3d6e-539a-b23e-e6a731b20a59
ovs-vsctl --may-exist add-port br-int tap11b138e3-f8 -- set Port tap11b138e3-f8 'external_ids:nebula-owner="nebula:port:11b138e3-f82a-57b4-bdd1-72c5de6bb9ba"' tag=1 -- set Interface tap11b138e3-f8 external_ids:iface-id=11b138e3-f82a-57b4-bdd1-72c5de6bb9ba
ovs-vsctl --may-exist add-port br-int tap3422ff66-3a -- set Port tap3422ff66-3a 'external_ids:nebula-owner="nebula:port:3422ff66-3a01-5640-b557-d09c21cd29ee"' tag=3 -- set Interface tap3422ff66-3a external_ids:iface-id=3422ff66-3a01-5640-b557-d09c21cd29ee
ovs-vsctl --may-exist add-port br-int tap486781e4-f3 -- set Port tap486781e4-f3 'external_ids:nebula-owner="nebula:port:486781e4-f3af-5835-ac79-53d027454e39"' tag=1 -- set Interface tap486781e4-f3 external_ids:iface-id=486781e4-f3af-5835-ac79-53d027454e39
ovs-vsctl --may-exist add-port br-int tap6f498574-dd -- set Port tap6f498574-dd 'external_ids:nebula-owner="nebula:port:6f498574-ddb8-5335-94fd-f45121dc7b1e"' tag=2 -- set Interface tap6f498574-dd external_ids:iface-id=6f498574-ddb8-5335-94fd-f45121dc7b1e
ovs-vsctl --may-exist add-port br-int tap884b2ebd-55 -- set Port tap884b2ebd-55 'external_ids:nebula-owner="nebula:port:884b2ebd-5545-5184-bef2-26b4f383dab5"' tag=1 -- set Interface tap884b2ebd-55 external_ids:iface-id=884b2ebd-5545-5184-bef2-26b4f383dab5
ovs-vsctl --may-exist add-port br-int tapc3f33261-fe -- set Port tapc3f33261-fe 'external_ids:nebula-owner="nebula:port:c3f33261-fec6-5d53-b740-6458fbefb7bc"' tag=2 -- set Interface tapc3f33261-fe external_ids:iface-id=c3f33261-fec6-5d53-b740-6458fbefb7bc
ovs-vsctl --may-exist add-port br-int tapf271a3d9-f9 -- set Port tapf271a3d9-f9 'external_ids:nebula-owner="nebula:port:f271a3d9-f956-55dc-a7b6-c1c51fd7a722"' tag=3 -- set Interface tapf271a3d9-f9 external_ids:iface-id=f271a3d9-f956-55dc-a7b6-c1c51fd7a722
ovs-vsctl --may-exist add-port br-tun vxlan -- set Port vxlan 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]' -- set Interface vxlan type=vxlan 'options:key="flow"' 'options:local_ip="10.0.0.1"' 'options:remote_ip="flow"'

# flow
ovs-ofctl -O OpenFlow14 --names add-flow br-ex 'cookie=0x4e0104771cbe437e,table=0,priority=0 actions=NORMAL'
ovs-ofctl -O OpenFlow14 --names add-flow br-ex 'cookie=0x4e0104771cbe437e,table=0,priority=10,in_port="phy-br-ex" actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=0,priority=0 actions=goto_table:25'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e020712e595e4ee,table=0,priority=10,in_port="patch-tun",dl_vlan=1 actions=pop_vlan,set_field:0x1->reg6,set_field:0x1->reg7,goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e028b8a5ce0196a,table=0,priority=10,in_port="patch-tun",dl_vlan=2 actions=pop_vlan,set_field:0x2->reg6,set_field:0x1->reg7,goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02ca9453e9e200,table=0,priority=10,in_port="patch-tun",dl_vlan=3 actions=pop_vlan,set_field:0x3->reg6,set_field:0x1->reg7,goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=0,priority=3,arp actions=goto_table:24'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=0,priority=3,icmp6,icmp_type=135 actions=goto_table:24'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=0,priority=3,icmp6,icmp_type=136 actions=goto_table:24'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0400f07f543d6e,table=0,priority=5,in_port="tap00f07f54-3d" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0411b138e3f82a,table=0,priority=5,in_port="tap11b138e3-f8" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e043422ff663a01,table=0,priority=5,in_port="tap3422ff66-3a" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04486781e4f3af,table=0,priority=5,in_port="tap486781e4-f3" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e046f498574ddb8,table=0,priority=5,in_port="tap6f498574-dd" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04884b2ebd5545,table=0,priority=5,in_port="tap884b2ebd-55" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04c3f33261fec6,table=0,priority=5,in_port="tapc3f33261-fe" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04f271a3d9f956,table=0,priority=5,in_port="tapf271a3d9-f9" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=24,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=24,priority=100,arp,arp_spa=0.0.0.0,arp_op=1 actions=goto_table:25'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=24,priority=100,icmp6,icmp_type=135,nd_sll=00:00:00:00:00:00 actions=goto_table:25'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=25,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=60,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0400f07f543d6e,table=60,priority=100,in_port="tap00f07f54-3d" actions=set_field:0xf07f54->reg5,set_field:0x3->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0411b138e3f82a,table=60,priority=100,in_port="tap11b138e3-f8" actions=set_field:0x11b138e3->reg5,set_field:0x1->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e043422ff663a01,table=60,priority=100,in_port="tap3422ff66-3a" actions=set_field:0x3422ff66->reg5,set_field:0x3->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04486781e4f3af,table=60,priority=100,in_port="tap486781e4-f3" actions=set_field:0x486781e4->reg5,set_field:0x1->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e046f498574ddb8,table=60,priority=100,in_port="tap6f498574-dd" actions=set_field:0x6f498574->reg5,set_field:0x2->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04884b2ebd5545,table=60,priority=100,in_port="tap884b2ebd-55" actions=set_field:0x884b2ebd->reg5,set_field:0x1->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04c3f33261fec6,table=60,priority=100,in_port="tapc3f33261-fe" actions=set_field:0xc3f33261->reg5,set_field:0x2->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04f271a3d9f956,table=60,priority=100,in_port="tapf271a3d9-f9" actions=set_field:0xf271a3d9->reg5,set_field:0x3->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=71,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=71,priority=10,reg9=0,vlan_tci=0x0000/0x1fff actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=71,priority=80,udp,reg9=0x1/0x1,vlan_tci=0x0000/0x1fff,nw_src=0.0.0.0,nw_frag=no,tp_src=68,tp_dst=67 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=71,priority=95,arp,reg9=0x1/0x1,vlan_tci=0x0000/0x1fff actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=0 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=100,ct_state=-trk,udp,nw_frag=no,tp_src=68,tp_dst=67 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=100,ct_state=-trk,udp6,nw_frag=no,tp_src=546,tp_dst=547 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=105,icmp6,icmp_type=134 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=105,icmp6,icmp_type=135 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=105,icmp6,icmp_type=136 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=105,icmp6,icmp_type=137 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=105,udp,tp_src=67,tp_dst=68 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=105,udp6,tp_src=547,tp_dst=546 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=110,ct_state=-trk,icmp6,nw_frag=no,icmp_type=130 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=110,ct_state=-trk,icmp6,nw_frag=no,icmp_type=133 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=110,ct_state=-trk,icmp6,nw_frag=no,icmp_type=135 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=110,ct_state=-trk,icmp6,nw_frag=no,icmp_type=136,nd_tll=00:00:00:00:00:00 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=40,ct_state=+est+trk,ip,reg9=0x1 actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark))'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=40,ct_state=+est+trk,ipv6,reg9=0x1 actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark))'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=75,ct_state=-inv+trk,ip,reg9=0x1,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00,nw_frag=later actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=75,ct_state=-inv+trk,ipv6,reg9=0x1,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00,nw_frag=later actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=79,ct_state=+rel+trk,ct_mark=0x1,reg9=0x1 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=79,ct_state=+rpl+trk,ct_mark=0x1,reg9=0x1 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=80,ct_state=+est+rpl+trk,ct_mark=0,reg9=0x1 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=80,ct_state=+inv+trk,reg9=0x1 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=80,ct_state=-new+rel-inv+trk,ct_mark=0,reg9=0x1 actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=90,ct_state=-trk,ip,reg9=0x1 actions=ct(table=72,zone=NXM_NX_REG6[0..15])'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=72,priority=90,ct_state=-trk,ipv6,reg9=0x1 actions=ct(table=72,zone=NXM_NX_REG6[0..15])'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=73,priority=0 actions=goto_table:91'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04486781e4f3af,table=73,priority=100,reg6=0x1,dl_dst=fa:16:3e:00:01:01 actions=set_field:0x486781e4->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0411b138e3f82a,table=73,priority=100,reg6=0x1,dl_dst=fa:16:3e:00:01:02 actions=set_field:0x11b138e3->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04884b2ebd5545,table=73,priority=100,reg6=0x1,dl_dst=fa:16:3e:00:01:0a actions=set_field:0x884b2ebd->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e046f498574ddb8,table=73,priority=100,reg6=0x2,dl_dst=fa:16:3e:00:00:01 actions=set_field:0x6f498574->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04c3f33261fec6,table=73,priority=100,reg6=0x2,dl_dst=fa:16:3e:00:00:0a actions=set_field:0xc3f33261->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e043422ff663a01,table=73,priority=100,reg6=0x3,dl_dst=fa:16:3e:00:02:01 actions=set_field:0x3422ff66->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0400f07f543d6e,table=73,priority=100,reg6=0x3,dl_dst=fa:16:3e:00:02:02 actions=set_field:0xf07f54->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04f271a3d9f956,table=73,priority=100,reg6=0x3,dl_dst=fa:16:3e:00:02:03 actions=set_field:0xf271a3d9->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e020712e595e4ee,table=73,priority=90,reg6=0x1,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=set_field:0->reg9,set_field:0x11b138e3->reg5,resubmit(,81),set_field:0x486781e4->reg5,resubmit(,81),set_field:0x884b2ebd->reg5,resubmit(,81),goto_table:91'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e028b8a5ce0196a,table=73,priority=90,reg6=0x2,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=set_field:0->reg9,set_field:0x6f498574->reg5,resubmit(,81),set_field:0xc3f33261->reg5,resubmit(,81),goto_table:91'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02ca9453e9e200,table=73,priority=90,reg6=0x3,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=set_field:0->reg9,set_field:0xf07f54->reg5,resubmit(,81),set_field:0x3422ff66->reg5,resubmit(,81),set_field:0xf271a3d9->reg5,resubmit(,81),goto_table:91'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=74,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=10,reg9=0 actions=goto_table:92'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=100,arp,reg9=0x1/0x1 actions=goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=100,icmp6,reg9=0x1/0x1,nw_frag=no,icmp_type=130 actions=goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=100,icmp6,reg9=0x1/0x1,nw_frag=no,icmp_type=134 actions=goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=100,icmp6,reg9=0x1/0x1,nw_frag=no,icmp_type=135 actions=goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=100,icmp6,reg9=0x1/0x1,nw_frag=no,icmp_type=136 actions=goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=100,udp,reg9=0x1/0x1,nw_frag=no,tp_src=67,tp_dst=68 actions=goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=100,udp6,reg9=0x1/0x1,nw_frag=no,tp_src=547,tp_dst=546 actions=goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=80,reg9=0x1 actions=goto_table:82'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=80,reg9=0x3 actions=goto_table:82'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=90,ct_state=-trk,ip,reg9=0x1 actions=ct(table=82,zone=NXM_NX_REG6[0..15])'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=81,priority=90,ct_state=-trk,ipv6,reg9=0x1 actions=ct(table=82,zone=NXM_NX_REG6[0..15])'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=0 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=40,ct_state=+est+trk,ip,reg9=0x1 actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark))'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=40,ct_state=+est+trk,ipv6,reg9=0x1 actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark))'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=75,ct_state=-inv+trk,ip,reg9=0x1,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00,nw_frag=later actions=goto_table:92'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=75,ct_state=-inv+trk,ipv6,reg9=0x1,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00,nw_frag=later actions=goto_table:92'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=79,ct_state=+rel+trk,ct_mark=0x1,reg9=0x1 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=79,ct_state=+rpl+trk,ct_mark=0x1,reg9=0x1 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=80,ct_state=+est+rpl+trk,ct_mark=0,reg9=0x1 actions=goto_table:92'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=80,ct_state=+inv+trk,reg9=0x1 actions=goto_table:93'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=82,priority=80,ct_state=-new+rel-inv+trk,ct_mark=0,reg9=0x1 actions=goto_table:92'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=91,priority=0 actions=goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=91,priority=100,ct_state=+est-rpl+trk,ct_mark=0x1,ip actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0->ct_mark)),goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=91,priority=100,ct_state=+est-rpl+trk,ct_mark=0x1,ipv6 actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0->ct_mark)),goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=91,priority=100,ct_state=+new+trk,ip actions=ct(commit,zone=NXM_NX_REG6[0..15]),goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=91,priority=100,ct_state=+new+trk,ipv6 actions=ct(commit,zone=NXM_NX_REG6[0..15]),goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=91,priority=90,ct_state=+trk,ip,nw_frag=yes actions=ct(zone=NXM_NX_REG6[0..15]),goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=91,priority=90,ct_state=+trk,ipv6,nw_frag=yes actions=ct(zone=NXM_NX_REG6[0..15]),goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=92,priority=0 actions=goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=92,priority=100,ct_state=+est-rpl+trk,ct_mark=0x1,ip actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0->ct_mark)),goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=92,priority=100,ct_state=+est-rpl+trk,ct_mark=0x1,ipv6 actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0->ct_mark)),goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=92,priority=100,ct_state=+new+trk,ip actions=ct(commit,zone=NXM_NX_REG6[0..15]),goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=92,priority=100,ct_state=+new+trk,ipv6 actions=ct(commit,zone=NXM_NX_REG6[0..15]),goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=92,priority=90,ct_state=+trk,ip,nw_frag=yes actions=ct(zone=NXM_NX_REG6[0..15]),goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=92,priority=90,ct_state=+trk,ipv6,nw_frag=yes actions=ct(zone=NXM_NX_REG6[0..15]),goto_table:95'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=93,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=94,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e020712e595e4ee,table=94,priority=10,reg6=0x1 actions=push_vlan:0x8100,set_field:4097->vlan_vid,output:"patch-tun"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e028b8a5ce0196a,table=94,priority=10,reg6=0x2 actions=push_vlan:0x8100,set_field:4098->vlan_vid,output:"patch-tun"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02ca9453e9e200,table=94,priority=10,reg6=0x3 actions=push_vlan:0x8100,set_field:4099->vlan_vid,output:"patch-tun"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=94,priority=100,reg7=0x1 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=95,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0411b138e3f82a,table=95,priority=100,reg5=0x11b138e3 actions=output:"tap11b138e3-f8"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e043422ff663a01,table=95,priority=100,reg5=0x3422ff66 actions=output:"tap3422ff66-3a"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04486781e4f3af,table=95,priority=100,reg5=0x486781e4 actions=output:"tap486781e4-f3"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e046f498574ddb8,table=95,priority=100,reg5=0x6f498574 actions=output:"tap6f498574-dd"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04884b2ebd5545,table=95,priority=100,reg5=0x884b2ebd actions=output:"tap884b2ebd-55"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04c3f33261fec6,table=95,priority=100,reg5=0xc3f33261 actions=output:"tapc3f33261-fe"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0400f07f543d6e,table=95,priority=100,reg5=0xf07f54 actions=output:"tap00f07f54-3d"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e04f271a3d9f956,table=95,priority=100,reg5=0xf271a3d9 actions=output:"tapf271a3d9-f9"'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=0,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=0,priority=10,in_port="patch-int" actions=goto_table:2'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=2,priority=10,arp,dl_dst=ff:ff:ff:ff:ff:ff actions=goto_table:21'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=20,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=21,priority=0 actions=goto_table:22'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=22,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=4,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e028b8a5ce0196a,table=4,priority=10,tun_id=0x64 actions=push_vlan:0x8100,set_field:4098->vlan_vid,output:"patch-int"'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e020712e595e4ee,table=4,priority=10,tun_id=0x65 actions=push_vlan:0x8100,set_field:4097->vlan_vid,output:"patch-int"'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e02ca9453e9e200,table=4,priority=10,tun_id=0x66 actions=push_vlan:0x8100,set_field:4099->vlan_vid,output:"patch-int"'

# address
ip -n instance-aef349f3-ce43-5417-9967-49d7d28f8c98 address replace 10.20.0.10/24 dev eth0
ip -n instance-b1776a1a-aae3-5362-bb9a-dc5cbb380643 address replace 192.168.50.10/24 dev eth0
ip -n qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf address replace 172.16.0.2/24 dev qr-00f07f54-3d
ip -n qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf address replace 10.20.0.1/24 dev qr-486781e4-f3
ip -n qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce address replace 172.16.0.1/24 dev qr-3422ff66-3a
ip -n qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce address replace 192.168.50.1/24 dev qr-6f498574-dd
ip -n qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 address replace 10.20.0.2/24 dev qr-11b138e3-f8
ip -n qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 address replace 172.16.0.3/24 dev qr-f271a3d9-f9

# route
ip -n instance-aef349f3-ce43-5417-9967-49d7d28f8c98 route replace default via 10.20.0.1 dev eth0 proto static
ip -n instance-b1776a1a-aae3-5362-bb9a-dc5cbb380643 route replace default via 192.168.50.1 dev eth0 proto static
ip -n qrouter-3f10dbe8-4cbd-5e31-9b1f-af0cb9dda9cf route replace 192.168.50.0/24 via 172.16.0.1 dev qr-00f07f54-3d proto static
ip -n qrouter-4f3f2898-69e3-5a0d-820a-c4e87987dbce route replace 10.20.0.0/24 proto static nexthop via 172.16.0.2 dev qr-3422ff66-3a nexthop via 172.16.0.3 dev qr-3422ff66-3a
ip -n qrouter-b72f1bcd-e229-57e2-bb24-d01077785f16 route replace 192.168.50.0/24 via 172.16.0.1 dev qr-f271a3d9-f9 proto static
