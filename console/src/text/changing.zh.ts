// Chinese of the pages by which a fleet is changed.

import type { Text } from './en';

type Part = Pick<
  Text,
  | 'adopt'
  | 'change'
  | 'unify'
  | 'node'
  | 'machineActions'
  | 'machineFields'
  | 'history'
  | 'events'
  | 'parts'
  | 'groups'
  | 'foundationForm'
  | 'distributions'
>;

export const changing: Part = {
  adopt: {
    match: '机器与节点是否相符？',
    matched: '已接管：机器与节点一一对应',
    notMatched: '未接管',
    notLooked: '尚未检查',
    asked: '正在检查机器。',
    complete: '每个节点都已有对应的机器。',
    nodesHelp: '将为以下每个节点创建同名机器，地址为 SSH 可连接的地址。',
    jump: '跳板机',
    jumpHelp: '留空，或填写 [用户@]主机[:端口]，使用相同的密钥。',
    foreign: (machine, cluster) =>
      cluster
        ? `机器 ${machine} 属于集群 ${cluster}。请先在那里删除它，或在另一个命名空间中接管本集群。`
        : `机器 ${machine} 已存在，但不属于任何集群。请先删除它。`,
    submit: (count) => `以 ${count} 台机器接管`,
    nothingChanges: '不会改动机器和集群，只进行检查和比对。',
  },
  change: {
    now: '正在进行',
    nothing: '没有正在进行的操作。',
    target: '目标',
    manner: '执行方式',
    requests: '一次性操作',
    asFoundation: '按基座规定，否则保持现状',
    foundationHelp: '下方留空的内容由它决定。',
    foundationAdopted: '与它进行比较。仅由基座提出的要求，会在统一运行中变更。',
    distributionHelp: '只能从 native 转为 tke，不能反向。',
    versionHelp: '每次只升级一个次版本，中间版本会自动纳入计划，不能降级。',
    runtimeHelp: (now) => `当前为 ${now || '未知'}。建议 containerd，除非有程序需要 Docker 套接字。`,
    noDocker: (version) => `不能选择 Docker：Kubernetes ${version} 已不含 dockershim（自 1.24 起移除）。`,
    maxUnavailable: '同时不可用的节点数',
    maxUnavailableHelp: '数量，或比例，例如 25%。',
    drainTimeout: '等待 Pod 迁出的时间',
    drainTimeoutHelp: '例如 5m。超时仍不能迁出的 Pod 会使变更停止并被指明，不会强制迁出。',
    unmanagedPods: '无控制器的 Pod',
    refusePods: '停止变更并列出它们',
    deletePods: '永久删除',
    submit: '生成变更计划',
    planFirst: '批准计划之前不会执行任何操作。',
    runsAtOnce: '该集群的变更会立即执行，计划不等待批准。',
    asked: '已请求，计划会出现在上方。',
    request: {
      'renew-certificates': {
        button: '更新证书…',
        title: (name) => `更新 ${name} 的证书？`,
        action: '更新',
        text: '逐个更新各控制平面上由 kubeadm 签发的证书，不包括证书颁发机构本身。',
      },
      'update-packages': {
        button: '更新软件包…',
        title: (name) => `更新 ${name} 的软件包？`,
        action: '更新',
        text: '通过系统自带的包管理器更新每台机器的内核和软件包，必要时先驱逐 Pod 再重启。',
      },
      'clean-up': {
        button: '清理迁移遗留…',
        title: (name) => `清理 ${name} 上的迁移遗留？`,
        action: '清理',
        text: '将永久删除原运行时的软件包和数据，此后迁移无法再回滚。',
      },
    },
  },
  unify: {
    title: '统一',
    none: '还没有运行。一次运行会分批把该基座的所有集群统一到标准。',
    begins: '运行即将开始。',
    run: (name) => `运行 ${name}`,
    wave: (number, canaries, settled, all) =>
      `第 ${number} 批${canaries ? '（金丝雀）' : ''}：已完成 ${settled} / ${all}`,
    concerns: (names, all) =>
      names.length === 0
        ? `它的 ${all} 个集群都与其一致。`
        : `它的 ${all} 个集群中有 ${names.length} 个存在偏差：${names.slice(0, 8).join('，')}${names.length > 8 ? '……' : ''}。`,
    preview: '运行将做什么',
    summary: (steps, clusters, alone, blocked) =>
      `${clusters} 个集群共 ${steps} 个步骤；另有 ${alone} 个集群无需变更。${
        blocked > 0 ? `其中 ${blocked} 个步骤不由 Groundplane 执行。` : ''
      }依据最近一次巡检得出，尚未执行任何操作。`,
    waveToCome: (number, canaries, clusters) => `第 ${number} 批${canaries ? '（金丝雀）' : ''}：${clusters} 个集群`,
    leftAlone: (count) => `不变更：${count} 个集群`,
    onNodes: (count, nodes) =>
      `${count} 个节点${nodes.length > 0 ? `：${nodes.slice(0, 4).join('、')}${count > 4 ? '……' : ''}` : ''}`,
    drained: '逐个驱逐',
    sameDrain: '与上一步共用一次驱逐',
    and: '；',
    notDone: (why) => `不执行：${why}`,
    approval: '批准方式',
    perWave: '逐批批准：可先查看每个计划',
    once: '现在一次性全部批准',
    waves: '各批规模',
    wavesHelp: '集群数量或占比。金丝雀集群单独为第一批，最后一批包含其余全部。',
    maxClusters: '同时变更的集群数',
    maxFailures: '允许的失败数',
    maxFailuresHelp: '超过后不再开始新的集群。',
    windows: '维护窗口',
    windowsHelp: '留空表示任何时间。否则每行一个，例如：Sat,Sun 22:00 4h Asia/Shanghai',
    windowWrong: (line) => `“${line}”不是有效的窗口。格式如：Sat,Sun 22:00 4h Asia/Shanghai`,
    cancelOperations: '同时取消正在执行的操作：每个节点要么保持完成，要么恢复原状，不会停在中间',
    verbs: {
      start: { button: () => '开始运行…', title: (name) => `将所有集群统一到 ${name}`, action: '开始', text: '' },
      approve: {
        button: (wave) => `批准第 ${wave} 批…`,
        title: (_, wave) => `批准第 ${wave} 批？`,
        action: '批准',
        text: '下方链接的操作会按名额和窗口开始执行。',
      },
      pause: {
        button: () => '暂停…',
        title: () => '暂停运行？',
        action: '暂停',
        text: '不再开始新的操作，正在执行的会继续完成。',
      },
      resume: { button: () => '继续…', title: () => '继续运行？', action: '继续', text: '从暂停处继续。' },
      cancel: {
        button: () => '取消…',
        title: () => '永久结束该运行？',
        action: '结束',
        text: '等待批准的操作会被取消，正在执行的会继续完成。',
      },
    },
  },
  node: {
    gone: '该节点不存在（或已被删除）。',
    cordoned: '已禁止调度',
    architecture: '架构',
    mostPods: 'Pod 上限',
    pods: 'Pod',
    noPods: '该节点上没有 Pod。',
    labelsAndTaints: '标签与污点',
    labels: '标签',
    labelsHelp: '每行一个，例如 zone=a。',
    taints: '污点',
    taintsHelp: '每行一个，例如 gpu=true:NoSchedule。',
    managed: '每行一个。由其机器设置的标签请在机器上修改。',
    badLine: (line) => `无法识别“${line}”，请参照输入框旁的示例。`,
    ours: (cluster) => `由 ${cluster} 的操作禁止调度，操作结束时会自动恢复。`,
    cordon: {
      button: '禁止调度…',
      title: (name) => `禁止调度到 ${name}？`,
      action: '禁止调度',
      text: '不再向它调度新的 Pod，已在其上运行的不受影响。',
    },
    uncordon: {
      button: '恢复调度…',
      title: (name) => `恢复调度到 ${name}？`,
      action: '恢复调度',
      text: '可以再次向它调度 Pod。',
    },
    drain: {
      button: '驱逐 Pod…',
      title: (name) => `驱逐 ${name} 上的 Pod？`,
      action: '驱逐',
      text: (count) =>
        `先禁止调度，再按中断预算驱逐 ${count} 个 Pod，DaemonSet 的 Pod 保留。返回则停止驱逐，节点仍保持禁止调度。`,
      unmanaged: (pods) => `同时删除这些没有控制器的 Pod：${pods.join('，')}`,
      asked: '正在迁出',
    },
  },
  machineActions: {
    held: '已排除',
    survey: {
      button: '立即检查…',
      title: (name) => `立即检查 ${name}？`,
      action: '检查',
      text: () => '通过 SSH 检查，不会改动机器。',
      done: '已请求检查，结果会显示在此处。',
    },
    holdBack: {
      button: '排除变更…',
      title: (name) => `将 ${name} 排除在变更之外？`,
      action: '排除',
      text: (cluster) => `集群 ${cluster} 的变更会跳过这台机器，直到取消排除。`,
      done: '已排除。',
    },
    letGo: {
      button: '取消排除…',
      title: (name) => `取消对 ${name} 的排除？`,
      action: '取消排除',
      text: (cluster) => `集群 ${cluster} 的变更会重新包括这台机器。`,
      done: '已取消排除。',
    },
    updatePackages: {
      button: '更新软件包…',
      title: (name) => `更新 ${name} 的软件包？`,
      action: '更新',
      text: () => '计划会出现在操作列表中：驱逐、更新、必要时重启、验证、恢复调度。',
      done: '已请求，计划会出现在操作列表中。',
    },
    remove: {
      button: '删除…',
      title: (name) => `删除 ${name}`,
      action: '删除',
      text: (cluster) =>
        cluster
          ? `其节点将离开集群 ${cluster}：驱逐 Pod、清理，并恢复到接管前的状态。计划会出现在操作列表中。`
          : 'Groundplane 将不再管理它，机器本身不受影响。',
      done: '正在删除。',
    },
  },
  machineFields: {
    title: '设定',
    belongs: (cluster) => `它属于集群 ${cluster}，删除后即离开该集群。`,
    joins: '加入集群',
    joinsHelp: '加入的计划会出现在操作列表中。',
    labelsHelp: '节点标签，每行一个，例如 zone=a。',
  },
  history: { title: '变化记录', time: '发现时间', what: '内容' },
  events: {
    title: '事件',
    all: '这些事件',
    none: '最近没有与它有关的事件。',
    last: '最近发生',
    type: '类型',
    reason: '原因',
    message: '消息',
    count: '次数',
  },
  parts: { yaml: 'YAML', log: '日志', terminal: '终端', pods: 'Pod', history: '历史版本', events: '事件' },
  groups: {
    label: '资源类别',
    workloads: '工作负载',
    services: '服务',
    config: '配置',
    storage: '存储',
    cluster: '集群',
    others: '其他',
  },
  foundationForm: {
    open: '新建基座',
    title: '新建基座',
    edit: (name) => `修改基座 ${name}`,
    editOpen: '用表单修改',
    kubernetes: 'Kubernetes 与运行时',
    distributionHelp: (names) => (names.length ? `现有：${names.join('，')}` : '发行版（Distribution）的名称。'),
    versionHelp: (versions) => (versions.length ? `可选：${versions.join('，')}` : '例如 v1.20.2。'),
    runtimeVersion: '运行时版本',
    runtimeVersionHelp: '例如 >=1.6.0 或 >=1.6.0,<2.0.0。留空则由 Kubernetes 版本决定。',
    handlers: '运行时处理器',
    handlersHelp: 'runc；支持虚拟化的机器可加 kata。',
    hosts: '机器',
    recommended: '推荐的操作系统',
    systemsHelp: '每行一个：先写 ID，再写可接受的版本，例如：debian 11 12',
    allowed: '同样接受的操作系统',
    allowedHelp: '两个列表都为空则全部接受。',
    kernel: '最低内核版本',
    kernelHelp: '例如 5.4.119，留空则不限。',
    swap: '交换分区',
    timeSync: '时间同步服务',
    kdump: '内核崩溃转储',
    settings: { swap: '关闭', timeSync: '必须', kdump: '必须' },
    ignored: '不作要求',
    network: 'Pod 网络',
    plugin: '网络插件',
    pluginHelp: '例如 cilium，留空则不限。',
    features: '需要的特性',
    featuresHelp: '例如 KubeProxyReplacement, BandwidthManager。内核不支持的特性会列出受阻的节点。',
    nothingChanges: '保存后其集群会立即与它比较；集群的变更由各自的计划或统一运行完成。',
    featureState: '需要的网络特性',
    feature: '特性',
    needs: '要求',
    uniformityOverTime: '一致节点数的变化',
  },
  distributions: {
    title: '发行版',
    all: '全部发行版',
    empty: '该命名空间中没有发行版。',
    next: '发行版规定版本从何处获取：可从 docs/kinds/distribution.md 的示例开始。',
    gone: '该发行版不存在（或已被删除）。',
    vendor: '厂商',
    releases: '版本',
    newest: '最新版本',
    sources: '来源',
    description: '说明',
    endOfLife: '支持截止',
    ended: (day) => `已于 ${day} 停止支持`,
    files: '文件数',
    noReleases: '没有任何版本。',
  },
};
