// Chinese of names that the server gives things; what it calls them stands beside it where somebody may search for that.
// The compiler says when one of our own conditions, states or actions is missing, a test when a step is.

import type {
  ClusterStatus,
  ConditionType,
  FeatureDecision,
  OperationStatus,
  Plan,
  StepStatus,
  UnifyCluster,
  UnifyStatus,
  UnifyStep,
} from '../api/kinds';
import type { SeenNode } from '../api/nodes';
import type { Names } from './names.en';

/** Whatever is shown as a state. */
export type State = NonNullable<
  | ClusterStatus['phase']
  | OperationStatus['phase']
  | StepStatus['state']
  | FeatureDecision['state']
  | UnifyStatus['phase']
  | UnifyCluster['state']
  | SeenNode['state']
>;

const ours: Record<ConditionType, string> = {
  Adopted: '已接管',
  Approved: '已批准',
  Complete: '已完成',
  Imported: '已导入',
  MachinesReachable: '机器可达',
  PreflightPassed: '预检通过',
  Progressing: '进行中',
  Reachable: '可访问',
  Ready: '就绪',
  SpecValid: '配置有效',
  Unified: '已统一',
  Uniform: '与基座一致',
};

const kubernetes = {
  Available: '可用',
  ContainersReady: '容器就绪',
  DiskPressure: '磁盘压力',
  Initialized: '已初始化',
  MemoryPressure: '内存压力',
  NetworkUnavailable: '网络不可用',
  PIDPressure: '进程数压力',
  PodScheduled: 'Pod 已调度',
  ReplicaFailure: '副本创建失败',
};

const actions: Record<Plan['action'], string> = {
  Change: '变更',
  CleanUp: '清理迁移遗留',
  Create: '创建',
  Delete: '删除',
  Join: '加入节点',
  Release: '解除接管',
  Remove: '移除节点',
  RenewCertificates: '更新证书',
};

const remedies: Record<UnifyStep['action'], string> = {
  ChangeNetwork: '更换 Pod 网络',
  ConvertDistribution: '转换发行版',
  MigrateRuntime: '迁移容器运行时',
  None: '需要人工决定',
  ReinstallOperatingSystem: '更换节点的操作系统',
  RenewCertificates: '更新证书',
  TuneHost: '调整主机设置',
  UpgradeKernel: '升级内核',
  UpgradeKubernetes: '升级 Kubernetes',
  UpgradeRuntime: '升级容器运行时',
};

export const names: Names = {
  conditions: { ...kubernetes, ...ours },
  steps: {
    binaries: '安装 kubeadm、kubelet、kubectl 和 CNI 插件',
    claim: '标记机器归属本集群',
    'clean-up': '清除 Docker 的软件包和数据',
    'delete-node': '删除节点对象',
    drain: '驱逐 Pod',
    'etcd-member': '将控制平面移出 etcd',
    'etcd-snapshot': '创建 etcd 快照',
    'host-settings': '设置交换分区、内核模块和内核参数',
    images: '加载镜像',
    init: '初始化控制平面',
    join: '加入集群',
    kubeconfig: '发布 kubeconfig',
    'network-manifest': '部署网络插件',
    'node-labels': '设置节点的标签和污点',
    'pod-network': '接入 Pod 网络',
    release: '解除对机器的管理',
    'renew-certificates': '更新证书',
    reset: '清除 kubeadm、kubelet 和 Pod 网络',
    restore: '恢复机器原状',
    routes: '设置节点的路由',
    runtime: '安装并配置容器运行时',
    'runtime-classes': '创建运行时处理器的 RuntimeClass',
    'stage-kubernetes': '将新版本的 Kubernetes 文件传到机器',
    'stage-runtime': '预先安装新的运行时',
    'switch-runtime': '切换运行时',
    'system-packages': '更新内核与系统软件包',
    uncordon: '恢复调度',
    'upgrade-check': '升级前检查',
    'upgrade-control-plane': '升级控制平面',
    'upgrade-kubelet': '升级 kubelet',
    verify: '验证集群与新节点',
    'verify-change': '验证变更后的集群',
    'verify-node': '验证节点',
    'virtual-ip': '维护控制平面的虚拟 IP',
  },
  remedies,
  actions,
  events: { Normal: '正常', Warning: '警告' },
};
