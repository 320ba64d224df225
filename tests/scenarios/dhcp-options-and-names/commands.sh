#!/bin/bash
# A network with a DHCP server on this node and another one on compute1: both answer for the names of its ports.
# The port web has DHCP options of its own, beside the route of the subnet; the other port has a made-up name.
# All changes of the first pass on an empty node, in order, as a person would type them.
set -e

# namespace
ip netns add qdhcp-b69b8128-c03e-49a3-b100-6f862ae50fb8
ip -n qdhcp-b69b8128-c03e-49a3-b100-6f862ae50fb8 link set lo up alias nebula:network:b69b8128-c03e-49a3-b100-6f862ae50fb8

# bridge
ovs-vsctl --may-exist add-br br-int -- set Bridge br-int datapath_type=netdev fail_mode=secure 'external_ids:nebula-owner="nebula:node:net1"'
ovs-vsctl -- --id=@t0 create Flow_Table name=LOCAL_SWITCHING -- --id=@t24 create Flow_Table name=ARP_SPOOF -- --id=@t25 create Flow_Table name=MAC_SPOOF -- --id=@t60 create Flow_Table name=TRANSIENT -- --id=@t71 create Flow_Table name=BASE_EGRESS -- --id=@t72 create Flow_Table name=RULES_EGRESS -- --id=@t73 create Flow_Table name=ACCEPT_OR_INGRESS -- --id=@t74 create Flow_Table name=FLOOD_MORE -- --id=@t81 create Flow_Table name=BASE_INGRESS -- --id=@t82 create Flow_Table name=RULES_INGRESS -- --id=@t91 create Flow_Table name=EGRESS_COMMIT -- --id=@t92 create Flow_Table name=INGRESS_COMMIT -- --id=@t93 create Flow_Table name=DROPPED_TRAFFIC -- --id=@t94 create Flow_Table name=ACCEPTED_EGRESS -- --id=@t95 create Flow_Table name=DELIVERY -- set Bridge br-int flow_tables=0=@t0,24=@t24,25=@t25,60=@t60,71=@t71,72=@t72,73=@t73,74=@t74,81=@t81,82=@t82,91=@t91,92=@t92,93=@t93,94=@t94,95=@t95
ovs-ofctl -O OpenFlow14 --names set-frags br-int nx-match
ovs-vsctl --may-exist add-br br-tun -- set Bridge br-tun datapath_type=netdev fail_mode=secure 'external_ids:nebula-owner="nebula:node:net1"'
ovs-vsctl -- --id=@t0 create Flow_Table name=TUN_INPUT -- --id=@t2 create Flow_Table name=PATCH_LV_TO_TUN -- --id=@t4 create Flow_Table name=VXLAN_TUN_TO_LV -- --id=@t20 create Flow_Table name=UCAST_TO_TUN -- --id=@t21 create Flow_Table name=ARP_RESPONDER -- --id=@t22 create Flow_Table name=FLOOD_TO_TUN -- set Bridge br-tun flow_tables=0=@t0,2=@t2,4=@t4,20=@t20,21=@t21,22=@t22

# local-vlan
ovs-ofctl -O OpenFlow14 --names ct-flush-zone br-int 1
ovs-vsctl set Bridge br-int external_ids:nebula-vlan-b69b8128-c03e-49a3-b100-6f862ae50fb8=1

# veth
ip link add tap3f7b94c3-c5 mtu 1450 type veth peer name ns-3f7b94c3-c5 mtu 1450 address fa:16:3e:19:e2:44 netns qdhcp-b69b8128-c03e-49a3-b100-6f862ae50fb8
ip link set tap3f7b94c3-c5 alias nebula:port:3f7b94c3-c5d2-4c1e-9f3a-6b1d2e8f7a90 addrgenmode none
ip -n qdhcp-b69b8128-c03e-49a3-b100-6f862ae50fb8 link set ns-3f7b94c3-c5 alias nebula:port:3f7b94c3-c5d2-4c1e-9f3a-6b1d2e8f7a90 addrgenmode none
ip netns exec qdhcp-b69b8128-c03e-49a3-b100-6f862ae50fb8 ethtool -K ns-3f7b94c3-c5 tx off > /dev/null
ip -n qdhcp-b69b8128-c03e-49a3-b100-6f862ae50fb8 link set ns-3f7b94c3-c5 up
ip link set tap3f7b94c3-c5 up

# bridge-port
ovs-vsctl --may-exist add-port br-tun patch-int -- set Port patch-int 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]' -- set Interface patch-int type=patch 'options:peer="patch-tun"'
ovs-vsctl --may-exist add-port br-int patch-tun -- set Port patch-tun 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]' -- set Interface patch-tun type=patch 'options:peer="patch-int"'
ovs-vsctl --may-exist add-port br-int tap3f7b94c3-c5 -- set Port tap3f7b94c3-c5 'external_ids:nebula-owner="nebula:port:3f7b94c3-c5d2-4c1e-9f3a-6b1d2e8f7a90"' tag=1 -- set Interface tap3f7b94c3-c5 external_ids:iface-id=3f7b94c3-c5d2-4c1e-9f3a-6b1d2e8f7a90
ovs-vsctl --may-exist add-port br-tun vxlan -- set Port vxlan 'external_ids:nebula-owner="nebula:node:net1"' 'tag=[]' -- set Interface vxlan type=vxlan 'options:key="flow"' 'options:local_ip="10.0.0.1"' 'options:remote_ip="flow"'

# flow
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=0,priority=0 actions=goto_table:25'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02b69b8128c03e,table=0,priority=10,in_port="patch-tun",dl_vlan=1 actions=pop_vlan,set_field:0x1->reg6,set_field:0x1->reg7,goto_table:73'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=0,priority=3,arp actions=goto_table:24'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=0,priority=3,icmp6,icmp_type=135 actions=goto_table:24'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=0,priority=3,icmp6,icmp_type=136 actions=goto_table:24'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e043f7b94c3c5d2,table=0,priority=5,in_port="tap3f7b94c3-c5" actions=goto_table:60'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=24,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=24,priority=100,arp,arp_spa=0.0.0.0,arp_op=1 actions=goto_table:25'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=24,priority=100,icmp6,icmp_type=135,nd_sll=00:00:00:00:00:00 actions=goto_table:25'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=25,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=60,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e043f7b94c3c5d2,table=60,priority=100,in_port="tap3f7b94c3-c5" actions=set_field:0x3f7b94c3->reg5,set_field:0x1->reg6,goto_table:71'
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
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e043f7b94c3c5d2,table=73,priority=100,reg6=0x1,dl_dst=fa:16:3e:19:e2:44 actions=set_field:0x3f7b94c3->reg5,set_field:0->reg9,goto_table:81'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02b69b8128c03e,table=73,priority=90,reg6=0x1,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=set_field:0->reg9,set_field:0x3f7b94c3->reg5,resubmit(,81),goto_table:91'
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
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e02b69b8128c03e,table=94,priority=10,reg6=0x1 actions=push_vlan:0x8100,set_field:4097->vlan_vid,output:"patch-tun"'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=94,priority=100,reg7=0x1 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e0104771cbe437e,table=95,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-int 'cookie=0x4e043f7b94c3c5d2,table=95,priority=100,reg5=0x3f7b94c3 actions=output:"tap3f7b94c3-c5"'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=0,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=0,priority=10,in_port="patch-int" actions=goto_table:2'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e07fd78877e1591,table=0,priority=10,tun_src=10.0.0.11,in_port=vxlan actions=goto_table:4'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e079f78de2a126d,table=0,priority=10,tun_src=10.0.0.12,in_port=vxlan actions=goto_table:4'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=2,priority=10,arp,dl_dst=ff:ff:ff:ff:ff:ff actions=goto_table:21'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=20,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e044e8a05d4d6e3,table=20,priority=10,dl_vlan=1,dl_dst=fa:16:3e:2a:f3:55 actions=pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.11->tun_dst,output:vxlan'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e04ac62f68e48d3,table=20,priority=10,dl_vlan=1,dl_dst=fa:16:3e:41:9f:40 actions=pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.12->tun_dst,output:vxlan'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e045759c1060c7e,table=20,priority=10,dl_vlan=1,dl_dst=fa:16:3e:9d:3c:34 actions=pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.11->tun_dst,output:vxlan'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=21,priority=0 actions=goto_table:22'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e045759c1060c7e,table=21,priority=10,arp,dl_vlan=1,arp_tpa=192.168.50.227,arp_op=1 actions=set_field:fa:16:3e:9d:3c:34->eth_dst,pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.11->tun_dst,output:vxlan,push_vlan:0x8100,set_field:4097->vlan_vid,move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:fa:16:3e:9d:3c:34->eth_src,set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:fa:16:3e:9d:3c:34->arp_sha,set_field:192.168.50.227->arp_spa,IN_PORT'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e044e8a05d4d6e3,table=21,priority=10,arp,dl_vlan=1,arp_tpa=192.168.50.3,arp_op=1 actions=set_field:fa:16:3e:2a:f3:55->eth_dst,pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.11->tun_dst,output:vxlan,push_vlan:0x8100,set_field:4097->vlan_vid,move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:fa:16:3e:2a:f3:55->eth_src,set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:fa:16:3e:2a:f3:55->arp_sha,set_field:192.168.50.3->arp_spa,IN_PORT'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e04ac62f68e48d3,table=21,priority=10,arp,dl_vlan=1,arp_tpa=192.168.50.74,arp_op=1 actions=set_field:fa:16:3e:41:9f:40->eth_dst,pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.12->tun_dst,output:vxlan,push_vlan:0x8100,set_field:4097->vlan_vid,move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:fa:16:3e:41:9f:40->eth_src,set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:fa:16:3e:41:9f:40->arp_sha,set_field:192.168.50.74->arp_spa,IN_PORT'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=22,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e02b69b8128c03e,table=22,priority=10,dl_vlan=1 actions=pop_vlan,set_field:0x1d67->tun_id,set_field:10.0.0.11->tun_dst,output:vxlan,set_field:10.0.0.12->tun_dst,output:vxlan'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e0104771cbe437e,table=4,priority=0 actions=drop'
ovs-ofctl -O OpenFlow14 --names add-flow br-tun 'cookie=0x4e02b69b8128c03e,table=4,priority=10,tun_id=0x1d67 actions=push_vlan:0x8100,set_field:4097->vlan_vid,output:"patch-int"'

# address
ip -n qdhcp-b69b8128-c03e-49a3-b100-6f862ae50fb8 address replace 192.168.50.2/24 dev ns-3f7b94c3-c5

# file
mkdir -p /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8
cat > /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/addn_hosts << 'EOF'
192.168.50.227 web.openstacklocal web
192.168.50.74 host-192-168-50-74.openstacklocal host-192-168-50-74
EOF
mkdir -p /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8
cat > /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/host << 'EOF'
fa:16:3e:9d:3c:34,set:port-5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70,web,192.168.50.227
fa:16:3e:41:9f:40,host-192-168-50-74,192.168.50.74
EOF
mkdir -p /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8
cat > /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/opts << 'EOF'
tag:subnet-3eb31d05-a8a9-450f-83c5-8bf94d064f98,option:classless-static-route,10.77.0.0/16,192.168.50.77,0.0.0.0/0,192.168.50.1
tag:subnet-3eb31d05-a8a9-450f-83c5-8bf94d064f98,249,10.77.0.0/16,192.168.50.77,0.0.0.0/0,192.168.50.1
tag:subnet-3eb31d05-a8a9-450f-83c5-8bf94d064f98,option:dns-server,192.168.50.2,192.168.50.3
tag:subnet-3eb31d05-a8a9-450f-83c5-8bf94d064f98,option:router,192.168.50.1
tag:port-5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70,150,192.168.50.77
tag:port-5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70,option:bootfile-name,"http://boot.example/web,uefi"
tag:port-5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70,option:dns-server,9.9.9.9
tag:port-5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70,option:mtu,1400
EOF

# process
mkdir -p /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8
cat /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/host /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/opts /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/addn_hosts > /var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/loaded
ip netns exec qdhcp-b69b8128-c03e-49a3-b100-6f862ae50fb8 dnsmasq --conf-file=/dev/null --user= --group= --no-hosts --no-resolv --dhcp-ignore-names --addn-hosts=/var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/addn_hosts --except-interface=lo --bind-dynamic --interface=ns-3f7b94c3-c5 --pid-file=/var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/pid --log-facility=/var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/log --dhcp-hostsfile=/var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/host --dhcp-optsfile=/var/lib/nebula/dhcp/b69b8128-c03e-49a3-b100-6f862ae50fb8/opts --leasefile-ro --dhcp-authoritative '--dhcp-ignore=tag:!known' --dhcp-lease-max=256 --dhcp-range=set:subnet-3eb31d05-a8a9-450f-83c5-8bf94d064f98,192.168.50.0,static,255.255.255.0,86400s --dhcp-option-force=option:mtu,1450 --domain=openstacklocal --local=/openstacklocal/
