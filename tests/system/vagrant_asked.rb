# What the Vagrantfile of the current folder says, told by Vagrant itself, as JSON. No machine is started and no provider
# is needed. Each line of standard input is a question: [["config", PROVIDER] | ["packages"] | ["join"], environment]. A
# fork answers it, as to load Vagrant takes as long as all that follows; "null" is said of one that failed.
require "vagrant"
require "json"

$stdout.sync = true
while (question = $stdin.gets)
  break unless (answering = fork)
  puts "null" unless Process.wait2(answering).last.success?
end
exit unless question
words, variables = JSON.parse(question)
ARGV.replace(words)
ENV.replace(variables)

env = Vagrant::Environment.new
vagrantfile = env.vagrantfile

def machine_config(vagrantfile, name, provider)
  vagrantfile.machine_config(name, provider, nil, nil, false)[:config]
end

def trigger(config, kind, name)
  config.trigger.public_send(kind).select { |item| item.name == name }
end

# What one machine is with a provider.
def told(config, provider)
  of_provider = config.vm.get_provider_config(provider)
  settings = if provider == :libvirt
               { memory_mib: of_provider.memory, cpus: of_provider.cpus, driver: of_provider.driver }
             else
               of_provider.customizations.to_h { |_when, (_modifyvm, _id, flag, value)| [flag, value] }
             end
  provisioner = config.vm.provisioners.first.config
  {
    box: config.vm.box, host: config.vm.hostname, settings: settings,
    networks: config.vm.networks.filter_map { |type, options| options if type == :private_network },
    provision: { path: provisioner.path, args: provisioner.args, env: provisioner.env },
    joins_after: trigger(config, :after_triggers, "join").map(&:command)
  }
end

# A machine that nothing is known of but what was asked of it, and from which thread.
class Node
  attr_reader :env, :provider_name, :asked

  def initialize(env, provisioned)
    @env, @provisioned, @asked, @provider_name = env, provisioned, [], :libvirt
  end

  def communicate
    self
  end

  def test(command)
    @provisioned && command.include?("provisioned")
  end

  def sudo(command)
    @asked << command
  end
end

# The environment of such nodes: it has the controller, whose own connection belongs to the thread that brings it up.
Controller = Struct.new(:name) do
  def communicate
    raise "the controller's own connection is used"
  end
end
Cloud = Struct.new(:machines) do
  def machine(name, _provider)
    Controller.new(name)
  end
end

# A connection to the controller that remembers the threads that use it.
class Connection
  MADE = Queue.new
  attr_reader :used_by

  def initialize(machine)
    raise "not the controller" unless machine.name == :controller
    @used_by, @tries = [], 0
    MADE << self
  end

  def test(_command)
    @used_by << Thread.current
    @tries += 1
    raise Vagrant::Errors::SSHNotReady if @tries == 1
    true
  end

  def execute(command)
    @used_by << Thread.current
    yield :stdout, "token-of-#{command[/nebula-token (\S+)/, 1]}\r\n"
  end
end

# The Vagrantfile takes it for Vagrant's own.
class Connections < Vagrant.plugin("2")
  name "connections"
  communicator("ssh") { Connection } if ARGV.first == "join"
end

def sleep(_seconds); end # who waits for the controller does not wait long here

answer =
  case ARGV.shift
  when "config"
    provider = ARGV.shift.to_sym
    vagrantfile.machine_names.to_h { |name| [name, told(machine_config(vagrantfile, name, provider), provider)] }
  when "packages"
    # All machines come up at once, each in a thread. What each of them finds of what make does when it goes on:
    made = trigger(vagrantfile.config, :before_triggers, "packages").find { |item| item.command == :up }.ruby_block
    Array.new(4) { Thread.new { made.call(env, nil); File.readlines(ENV["MADE"], chomp: true) } }.map(&:value)
  when "join"
    nodes = vagrantfile.machine_names.drop(1).to_h { |name| [name, Node.new(Cloud.new, ENV["PROVISIONED"] == "yes")] }
    threads = nodes.map do |name, node|
      joins = trigger(machine_config(vagrantfile, name, :libvirt), :after_triggers, "join").first.ruby_block
      Thread.new { joins.call(env, node) }.tap { |thread| thread.report_on_exception = false }
    end
    threads.each(&:join)
    connections = Array.new(Connection::MADE.size) { Connection::MADE.pop }
    {
      asked: nodes.transform_values(&:asked),
      connections: connections.size, threads_of_each: connections.map { |item| item.used_by.uniq.size }.uniq
    }
  end
puts JSON.generate(answer)
