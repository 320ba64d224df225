#!/bin/bash
# A network whose subnet has neither DHCP nor a gateway. The instance's address is set directly, as a config drive would
# do for a virtual machine; no DHCP client runs, and there is no default route.
# All changes of the first pass on an empty node, in order, as a person would type them.
set -e

# namespace
ip netns add instance-11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41
ip -n instance-11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41 link set lo up alias nebula:instance:11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41

# bridge
ovs-vsctl --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev fail_mode=secure 'external_ids:nebula-owner="nebula:node:compute1"'
ovs-vsctl --may-exist add-br br-tun -- set Bridge br-tun datapath_type=netdev fail_mode=secure 'external_ids:nebula-owner="nebula:node:compute1"'

# local-vlan
ovs-vsctl set Bridge br-int external_ids:nebula-vlan-b69b8128-c03e-49a3-b100-6f862ae50fb8=1

# veth
ip link add tap5759c106-0c mtu 1450 type veth peer name eth0 mtu 1450 address fa:16:3e:9d:3c:34 netns instance-11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41
ip link set tap5759c106-0c alias nebula:port:5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70 addrgenmode none
ip -n instance-11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41 link set eth0 alias nebula:port:5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70 addrgenmode none
ip netns exec instance-11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41 ethtool -K eth0 tx off > /dev/null
ip -n instance-11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41 link set eth0 up
ip link set tap5759c106-0c up

# bridge-port
ovs-vsctl --may-exist add-port br-tun patch-int -- set Port patch-int 'external_ids:nebula-owner="nebula:node:compute1"' 'tag=[]' -- set Interface patch-int type=patch 'options:peer="patch-tun"'
ovs-vsctl --may-exist add-port br-int patch-tun -- set Port patch-tun 'external_ids:nebula-owner="nebula:node:compute1"' 'tag=[]' -- set Interface patch-tun type=patch 'options:peer="patch-int"'
ovs-vsctl --may-exist add-port br-int tap5759c106-0c -- set Port tap5759c106-0c 'external_ids:nebula-owner="nebula:port:5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70"' tag=1 -- set Interface tap5759c106-0c external_ids:iface-id=5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70
ovs-vsctl --may-exist add-port br-tun vxlan -- set Port vxlan 'external_ids:nebula-owner="nebula:node:compute1"' 'tag=[]' -- set Interface vxlan type=vxlan 'options:key="flow"' 'options:local_ip="10.0.0.11"' 'options:remote_ip="flow"'

# flow
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=0,priority=0 actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02b69b8128c03e,table=0,priority=10,in_port="patch-tun",dl_vlan=1 actions=pop_vlan,set_field:0x1->reg6,set_field:0x1->reg7,goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=60,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e045759c1060c7e,table=60,priority=100,in_port="tap5759c106-0c" actions=set_field:0x5759c106->reg5,set_field:0x1->reg6,goto_table:71'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=71,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=71,priority=10,vlan_tci=0x0000/0x1fff actions=goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=73,priority=0 actions=goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e045759c1060c7e,table=73,priority=100,reg6=0x1,dl_dst=fa:16:3e:9d:3c:34 actions=set_field:0x5759c106->reg5,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02b69b8128c03e,table=73,priority=90,reg6=0x1,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=set_field:0x5759c106->reg5,resubmit(,81),goto_table:94'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=74,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=81,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e045759c1060c7e,table=81,priority=100,reg5=0x5759c106 actions=output:"tap5759c106-0c"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=94,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02b69b8128c03e,table=94,priority=10,reg6=0x1 actions=push_vlan:0x8100,set_field:4097->vlan_vid,output:"patch-tun"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e01e01300255ee5,table=94,priority=100,reg7=0x1 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=0,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=0,priority=10,in_port="patch-int" actions=goto_table:2'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e079f78de2a126d,table=0,priority=10,tun_src=10.0.0.12,in_port=vxlan actions=goto_table:4'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=2,priority=10,arp,dl_dst=ff:ff:ff:ff:ff:ff actions=goto_table:21'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=20,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e04ac62f68e48d3,table=20,priority=10,dl_vlan=1,dl_dst=fa:16:3e:41:9f:40 actions=pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.12->tun_dst,output:vxlan'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=21,priority=0 actions=goto_table:22'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e04ac62f68e48d3,table=21,priority=10,arp,dl_vlan=1,arp_tpa=192.168.50.74,arp_op=1 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:fa:16:3e:41:9f:40->eth_src,set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:fa:16:3e:41:9f:40->arp_sha,set_field:192.168.50.74->arp_spa,IN_PORT'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=22,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e02b69b8128c03e,table=22,priority=10,dl_vlan=1 actions=pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.12->tun_dst,output:vxlan'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e01e01300255ee5,table=4,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e02b69b8128c03e,table=4,priority=10,tun_id=0x1d67 actions=push_vlan:0x8100,set_field:4097->vlan_vid,output:"patch-int"'

# address
ip -n instance-11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41 address replace 192.168.50.227/24 dev eth0
